"""GGUF files: conversion, quantising, importance matrix, verification and hand-over to runners."""
