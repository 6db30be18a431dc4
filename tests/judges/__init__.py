"""Real appliers as judges: what containerd, dockerd, podman and umoci make of an image before and after it was split."""
