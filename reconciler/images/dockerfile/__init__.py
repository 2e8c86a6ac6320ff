"""As much of the grammar of Dockerfiles as finding the images in one needs (Dockerfile reference; BuildKit's parser).

`lines` splits the text, `variables` replaces what stands for something else, `mentions` finds the images.
"""
