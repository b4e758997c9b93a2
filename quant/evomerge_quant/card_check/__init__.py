"""A graphics card put to the test: kernels, parity with the CPU, speed, memory and what happens when that runs out."""
