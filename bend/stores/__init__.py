"""Files on object stores: addresses such as `s3://bucket/rocks.zip`, in place of paths."""
