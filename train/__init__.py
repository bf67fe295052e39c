"""The trainer: from a folder of clips and photos to a checkpoint, and how good it is.

    from pathlib import Path

    from retarget.model import default_checkpoint_path
    from retarget.train import evaluate, geometry_of, load_options, open_dataset, prepare_dataset, train

    prepare_dataset([Path("clips"), Path("photos")], Path("data"))
    dataset = open_dataset("data")
    geometry = geometry_of(default_checkpoint_path())
    result = train(load_options("default"), dataset, Path("runs/mine"), geometry=geometry)
    evaluate({"mine": result.checkpoint}, dataset, Path("report"))

That is what the commands of `retarget-train` do, step by step: `prepare_dataset` finds, measures and crops faces;
`fit_geometry`, `calibrated` and `fit_motion` make a geometry of one's own; `train` learns a network around it;
`evaluate` measures checkpoints on people whom none of them has seen; `export_checkpoint` halves the file.

Crops, action units and landmarks are as in `retarget.model`. Everything a user can do wrong raises a
`RetargetError` of one line. A public name is loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
