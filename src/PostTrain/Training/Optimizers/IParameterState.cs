using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>What an optimiser remembers of one parameter: all of it goes into checkpoints.</summary>
public interface IParameterState
{
    /// <summary>The live tensors, with names; the same names and shapes before the first update as after it.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Tensors { get; }

    /// <summary>Updates that the parameter took part in; 0 where the optimiser does not count them.</summary>
    long Updates { get; set; }
}
