namespace PostTrain.Training;

/// <summary>The report of one optimiser step.</summary>
/// <param name="Loss">Sum of the parts' losses: the loss of the whole batch, without penalties.</param>
/// <param name="GradNorm">Norm of the gradient before clipping, with that of the penalties.</param>
/// <param name="LearningRate">The learning rate used.</param>
public readonly record struct UpdateReport(double Loss, double GradNorm, double LearningRate)
{
    private static readonly Dictionary<string, double> None = [];

    private readonly IReadOnlyDictionary<string, double>? penalties;

    /// <summary>Penalties by the names of their terms (<see cref="Models.IUpdateTerm"/>).</summary>
    public IReadOnlyDictionary<string, double> Penalties
    {
        get => penalties ?? None;
        init => penalties = value;
    }

    /// <summary>Adds <c>learning_rate</c>, <c>grad_norm</c> and <c>penalty/NAME</c>.</summary>
    internal void AddTo(Dictionary<string, double> metrics)
    {
        metrics["learning_rate"] = LearningRate;
        metrics["grad_norm"] = GradNorm;
        foreach (var (name, value) in Penalties)
            metrics[$"penalty/{name}"] = value;
    }
}
