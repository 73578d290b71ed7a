"""What the tests share: a kernel to type into, a server that misbehaves on demand, a scripted provider."""
