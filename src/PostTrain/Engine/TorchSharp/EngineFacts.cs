using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>What computes here, for the head of every report.</summary>
public static class EngineFacts
{
    /// <summary>One line, such as <c>TorchSharp 0.106.0, 2 threads</c>.</summary>
    public static string Describe() => $"TorchSharp {__version__}, {get_num_threads()} threads";
}
