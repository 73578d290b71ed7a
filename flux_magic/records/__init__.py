"""Records of images: their JSON and replay key, the store, embedding, signatures, other tools' formats."""
