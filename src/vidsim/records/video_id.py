"""What may be the id of a video, in a record as in a line of label.tsv."""

ID_BYTES = 256  # a column of ids has room for the longest of them in every row
ACCEPTED_ID = f"a text of 1 to {ID_BYTES} bytes in UTF-8, without NUL, is expected"


def is_video_id(video_id: bytes) -> bool:
    """Whether it is not empty, not too long, UTF-8, and without NUL, which numpy would drop."""
    try:
        video_id.decode()
    except UnicodeDecodeError:
        return False
    return 0 < len(video_id) <= ID_BYTES and b"\0" not in video_id
