from retarget.pipeline.review.drawing import shortened


def test_long_names_are_shortened_in_the_middle() -> None:
    assert shortened("abcdefghij.mp4", 9) == "abcd….mp4"
    assert shortened("short.mp4", 9) == "short.mp4"
