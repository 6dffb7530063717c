"""Files on object stores, named by addresses such as `s3://bucket/rocks.zip` in place of paths."""
