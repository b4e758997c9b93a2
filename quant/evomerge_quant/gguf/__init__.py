"""GGUF: conversion, quantising, importance matrix, proof and hand-over to runners."""
