"""What the attacks are tried on: a quarter of a second of a face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def make_short_clip(path: Path) -> None:
    """Six frames of the sample, with their sound, packet by packet."""
    import av

    with av.open(str(SAMPLES / "actress.mp4")) as source, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < Fraction(1, 4):
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
