"""The network, its geometry and its checkpoints: what an edit of a face is made with. Knows torch only.

    from retarget.model import EditInput, compose, from_model, load_checkpoint, to_model

    editor = load_checkpoint("mine.safetensors").build_editor()
    edit = editor(EditInput(to_model(crops), source_au, delta_au, landmarks))
    edited = from_model(compose(to_model(crops), edit))

Conventions everywhere:

- `crops` are (B, S, S, 3) uint8 RGB, with a face placed as the checkpoint's `CropSpec` says; networks see them
  as (B, 3, S, S) float32 in [-1, 1] (`to_model`, `from_model`).
- Action units are vectors (B, 46) in the order of `action_units.NAMES`: absolute ones (`source_au`) in [0, 1],
  relative ones (`delta_au`, what is asked to change) in [-1, 1].
- `landmarks` are (B, 478, 3) in crop pixels, by MediaPipe's numbering (`mesh` has its tables); (0, 0) is the
  corner of the first pixel.
- A flow is (B, 2, S, S) in pixels, x then y, backward: output pixel p shows input pixel p + flow(p).

`action_units`, `mesh`, `CropSpec` and the errors load no torch; everything else does when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
