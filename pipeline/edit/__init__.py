"""From what is asked to pixels: the plan, the network, the blend into the plate."""
