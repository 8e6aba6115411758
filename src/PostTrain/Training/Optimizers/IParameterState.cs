using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>The optimiser's state of one parameter, which is saved in checkpoints.</summary>
public interface IParameterState
{
    /// <summary>The state tensors by name; names and shapes do not change with updates.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Tensors { get; }

    /// <summary>Number of updates of the parameter; 0 if the optimiser does not count them.</summary>
    long Updates { get; set; }
}
