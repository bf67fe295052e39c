"""What a face shall express: curves, captures and clips as action units over seconds."""
