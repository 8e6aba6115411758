namespace PostTrain.Training.Distributed;

/// <summary>A cancellation that all ranks have agreed on.</summary>
internal sealed class RanksCancelledException(string message, Exception? inner) : OperationCanceledException(message, inner);
