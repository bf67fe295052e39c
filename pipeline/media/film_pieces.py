"""A long film in pieces: so many frames encoded by themselves, which a later run takes as they are."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoWriteError
from .encode import ENCODER_BY_CODEC
from .flush import flushed
from .pieces import About, Piece, Pieces, PieceWriter, StoredPacket, kept_pieces

ENCODERS_IN_PIECES = frozenset(ENCODER_BY_CODEC[codec] for codec in ("h264", "hevc", "prores", "ffv1"))
"""What these encode in pieces is known to go together: each piece begins with a picture that needs no earlier one,
and all have one header."""


class PieceEncoder:
    """Encodes so many frames at a time by themselves, and keeps each such piece for a run that is resumed.

    What comes out is for the output's stream. It is always made of the packets as they are kept, so that a film is
    the same to the bit whether its pieces were made now or before.
    """

    def __init__(
        self,
        path: Path,
        pieces: Pieces,
        target: VideoStream,
        new_stream: Callable[[], VideoStream],
        *,
        frames: int,
    ) -> None:
        """Takes up what is kept in the folder of the pieces.

        Args:
            path: the output, as errors name it.
            target: the output's stream, which gives the header that all pieces must have.
            new_stream: makes a stream that encodes as `target` does.
            frames: of each piece.
        """
        self.frames = frames
        """Of each piece."""
        header = target.codec_context.extradata or b""
        identity = f"{pieces.belongs_to} {frames} {header.hex()}"
        self._folder, self._belongs_to = pieces.folder, hashlib.sha256(identity.encode()).hexdigest()
        self._path, self._target, self._new_stream, self._header = path, target, new_stream, header
        self._kept = {piece.about.first_frame: piece for piece in kept_pieces(self._folder, self._belongs_to)}
        self.kept_frames = sum(piece.about.frames for piece in self._kept.values())
        self.kept_changes = sum(piece.about.changed_frames for piece in self._kept.values())
        self._expected: Iterator[int] = iter(())
        self._next_frame, self._number = self.kept_frames, len(self._kept)
        self._stream: VideoStream | None = None
        self._writer: PieceWriter | None = None
        self._in_piece = self._changed = self._packets = 0
        self._last_dts: int | None = None

    def keep(self, index: int, pts: int) -> Iterator[Packet[Any]]:
        """The packets of the kept piece that begins with this frame; none in the midst of one.

        Raises:
            VideoWriteError: the piece has a picture at another time than the source.
        """
        piece = self._kept.get(index)
        if piece is not None:
            self._expected = iter(piece.shown_pts())
        if next(self._expected, None) != pts:
            raise self._failure("a piece that was kept has other times than the source; run again")
        return iter(()) if piece is None else self._restored(piece)

    def _restored(self, piece: Piece) -> Iterator[Packet[Any]]:
        try:
            for stored in piece.packets():
                yield self._for_target(stored)
        except zipfile.BadZipFile as error:
            raise self._failure("a piece that was kept is broken; run again") from error

    def encode(self, native: VideoFrame, *, is_changed: bool) -> list[Packet[Any]]:
        """The packets that are ready, of the piece before among them where this frame begins another."""
        ready = self.finish() if self._in_piece == self.frames else []
        if self._stream is None:
            self._stream = self._new_stream()
            self._writer = PieceWriter(self._folder, self._number)
        self._in_piece += 1
        self._changed += is_changed
        return ready + self._taken(self._stream.encode(native))

    def finish(self) -> list[Packet[Any]]:
        """Ends the piece, whose file is then whole. Returns its last packets."""
        if self._stream is None or self._writer is None:
            return []
        ready = self._taken(flushed(self._stream, is_first=self._packets == 0))
        header = self._stream.codec_context.extradata or b""
        if header != self._header:
            raise self._failure("the encoder's header changes from piece to piece; use --chunk-seconds 0")
        if self._packets != self._in_piece:
            encoder = self._stream.codec_context.name
            raise self._failure(f"{encoder} made {self._packets} pictures of {self._in_piece}; use another codec")
        about = About(
            belongs_to=self._belongs_to,
            first_frame=self._next_frame,
            frames=self._in_piece,
            changed_frames=self._changed,
        )
        self._writer.finish(about)
        self._stream = self._writer = None
        self._next_frame, self._number = self._next_frame + self._in_piece, self._number + 1
        self._in_piece = self._changed = self._packets = 0
        return ready

    def abandon(self) -> None:
        """Deletes the partial piece; the whole ones stay. Never raises."""
        if self._writer is not None:
            self._writer.abandon()

    def _taken(self, packets: list[Packet[Any]]) -> list[Packet[Any]]:
        assert self._writer is not None
        out = []
        for packet in packets:
            assert packet.pts is not None and packet.dts is not None  # noqa: PT018 - encoders give both
            stored = StoredPacket(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, bytes(packet))
            self._writer.add(stored)
            out.append(self._for_target(stored))
        self._packets += len(packets)
        return out

    def _for_target(self, stored: StoredPacket) -> Packet[Any]:
        """A packet of the output's stream.

        Where frames come at changing intervals, the first decode times of a piece can lie before the last of the
        one before: the encoder counts back by an interval of its own. They are moved up; room there is, because a
        piece's last pictures are not yet due when they are decoded.
        """
        dts = stored.dts if self._last_dts is None else max(stored.dts, self._last_dts + 1)
        if dts > stored.pts:
            raise self._failure("the pieces do not fit together in time; use --chunk-seconds 0")
        self._last_dts = dts
        packet: Packet[Any] = Packet(stored.data)
        packet.stream = self._target
        packet.time_base = self._target.codec_context.time_base
        packet.pts, packet.dts, packet.duration = stored.pts, dts, stored.duration
        packet.is_keyframe = stored.is_key
        return packet

    def _failure(self, what: str) -> VideoWriteError:
        failure = VideoWriteError(f"{self._path}: {what}")
        failure.exit_code = 1
        return failure
