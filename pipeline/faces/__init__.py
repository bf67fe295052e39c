"""Who is in a clip, frame by frame: shots, landmarks, pose, action units, the crop."""
