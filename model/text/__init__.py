"""Text: corpora, tokens, a causal transformer and its judge. Heavy libraries load with the modules that use them."""
