"""Video, pictures and image sequences in and out; the only room that knows PyAV."""
