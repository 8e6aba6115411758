namespace PostTrain.Rollouts.Servers;

/// <summary>A failure of a request that another attempt may mend.</summary>
internal sealed class ServerFailure(string message, TimeSpan? wait = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Wait that the server asked for.</summary>
    internal TimeSpan? Wait => wait;
}
