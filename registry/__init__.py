"""The life of a model: labels, splits, training, evidence, the gate, MLflow."""
