"""Why a file gives no frames: a closed list, each with a name for failed.jsonl and a sentence."""

from enum import StrEnum

SENTENCES = {
    "missing": "no such file, no right to read it, or neither a file nor a folder",
    "empty": "the file has no byte, or the folder no picture",
    "unknown_format": "no video or picture, or its header is damaged or cut off",
    "no_video_stream": "sound or texts alone, without pictures",
    "cover_art_only": "sound with a cover picture, and no video",
    "unknown_codec": "the video is coded in a way that this build of FFmpeg cannot decode",
    "no_frames": "not one frame could be decoded",
    "too_large": "pictures of more pixels than the limit",
    "time_limit": "decoding took longer than the limit",
    "memory_limit": "decoding needed more memory than the limit",
    "crashed": "the decoder's process died",
    "unfit": "a frame could not be preprocessed",
    "not_finite": "features that are no finite numbers of float16",
}


class Reason(StrEnum):
    """Names of the reasons, as failed.jsonl has them."""

    MISSING = "missing"
    EMPTY = "empty"
    UNKNOWN_FORMAT = "unknown_format"
    NO_VIDEO_STREAM = "no_video_stream"
    COVER_ART_ONLY = "cover_art_only"
    UNKNOWN_CODEC = "unknown_codec"
    NO_FRAMES = "no_frames"
    TOO_LARGE = "too_large"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    CRASHED = "crashed"
    UNFIT = "unfit"
    NOT_FINITE = "not_finite"

    @property
    def sentence(self) -> str:
        """What it means."""
        return SENTENCES[self.value]


class Unreadable(Exception):
    """A file without frames.

    Args:
        reason: one of the list.
        detail: what was found there, e.g. the decoder's own words.
    """

    def __init__(self, reason: Reason, detail: str = ""):
        super().__init__(f"{reason.sentence}{f' ({detail})' if detail else ''}")
        self.reason, self.detail = reason, detail
