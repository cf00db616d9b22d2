"""`python write_tfrecord.py`: rated pairs to folds of TFRecords. See data/README.md."""

from door import enter

if __name__ == "__main__":
    enter("write_tfrecord")
