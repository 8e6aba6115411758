namespace PostTrain.Training.Optimizers;

/// <summary>Muon for some groups, another optimiser for the rest.</summary>
internal sealed class OptimizerPair : IParameterOptimizer
{
    private readonly IParameterOptimizer orthogonal,
        rest;

    /// <param name="orthogonal">Optimiser of the orthogonal groups, in their order.</param>
    /// <param name="rest">Optimiser of the other groups, in their order.</param>
    /// <param name="groups">All groups; the order of <see cref="States"/>.</param>
    internal OptimizerPair(IParameterOptimizer orthogonal, IParameterOptimizer rest, IReadOnlyList<ParameterGroup> groups)
    {
        (this.orthogonal, this.rest) = (orthogonal, rest);
        var (own, others) = (new Queue<IParameterState>(orthogonal.States), new Queue<IParameterState>(rest.States));
        States = [.. groups.SelectMany(group => group.Parameters.Select(_ => (group.Orthogonal ? own : others).Dequeue()))];
    }

    public IReadOnlyList<IParameterState> States { get; }

    public void ZeroGradients()
    {
        orthogonal.ZeroGradients();
        rest.ZeroGradients();
    }

    public void Update(double rate)
    {
        orthogonal.Update(rate);
        rest.Update(rate);
    }

    public void Dispose()
    {
        orthogonal.Dispose();
        rest.Dispose();
    }
}
