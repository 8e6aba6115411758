namespace PostTrain.Training;

/// <summary>A step whose updates are made and which is not reported yet.</summary>
/// <param name="Loss">Of its last update.</param>
/// <param name="Metrics">Without those of its evaluation.</param>
/// <param name="Tellings">What is to be told before the report.</param>
internal sealed record UnfinishedStep(double Loss, Dictionary<string, double> Metrics, IReadOnlyList<Action> Tellings);
