namespace PostTrain.Tool;

/// <summary>Defaults of a training command.</summary>
/// <param name="Records">The fields of a record, for the help.</param>
/// <param name="BatchSize">Records in a step.</param>
/// <param name="Rate">Learning rate of all weights of a model of width 64; less in wider models, five times as much for an adapter.</param>
/// <param name="Epochs">Passes over the records; null: 100 steps.</param>
internal sealed record TrainingDefaults(string Records, int BatchSize, double Rate, double? Epochs);
