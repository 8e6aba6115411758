namespace PostTrain.Training;

/// <summary>A step whose updates are made but not reported yet.</summary>
/// <param name="Loss">Loss of its last update.</param>
/// <param name="Metrics">Metrics without those of its evaluation.</param>
/// <param name="Tellings">Notifications to send before the report.</param>
internal sealed record UnfinishedStep(double Loss, Dictionary<string, double> Metrics, IReadOnlyList<Action> Tellings);
