"""What users write: workflows, activities, signals, sagas, effects."""
