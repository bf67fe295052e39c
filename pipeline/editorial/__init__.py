"""Cuts from the editing room: EDL, OpenTimelineIO and scene lists; media and timecode."""
