"""The invisible mark: written into the pixels of the placed face, found again through the face itself."""
