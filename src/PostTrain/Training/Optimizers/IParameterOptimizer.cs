namespace PostTrain.Training.Optimizers;

/// <summary>Updates the parameters of some groups by their gradients.</summary>
public interface IParameterOptimizer : IDisposable
{
    /// <summary>The state of each parameter, in the groups' order.</summary>
    IReadOnlyList<IParameterState> States { get; }

    /// <summary>Clears the gradients: fills them with zeros, or takes them away.</summary>
    void ZeroGradients();

    /// <summary>Makes one update of all parameters that have a gradient.</summary>
    /// <param name="rate">The learning rate, before a group's factor.</param>
    void Update(double rate);
}
