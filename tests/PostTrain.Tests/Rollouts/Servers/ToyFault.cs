namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>What a <see cref="ToyServer"/> does in place of an answer.</summary>
internal enum ToyFault
{
    None,
    InternalError,
    TooManyRequests,
    DroppedConnection,
    DroppedHalfway,
    NoJson,
    FewerCompletions,
    Aborted,
    Never,
}
