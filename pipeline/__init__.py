"""Video expression retargeting: what the command line does, as a library.

The whole job:

    from retarget.pipeline import RetargetOptions, retarget_video
    report = retarget_video("plate.mov", "smile.yaml", "out.mov", RetargetOptions(strength=0.8))

Step by step, so that many plans share one analysis:

    from retarget.pipeline import analyse_clip, edited_frames, load_driver, plan_edits, refine_plans
    analysis = analyse_clip("plate.mov")
    driver = load_driver("smile.yaml", frame_rate=analysis.info.frame_rate)
    plans = plan_edits(analysis, driver)
    for edited in edited_frames(refine_plans(plans)):
        ...

To look at: `list_people`, `preview`, `measure_quality`, `track_video`. Many clips: `run_batch`. Pixels in and out:
`open_video`, `create_video`. Whatever a user can put right is a `RetargetError`, in one line.
"""

import lazy_loader

# A public name is imported when it is first asked for: torch and the tracker take a second or more to load.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
