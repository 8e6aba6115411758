using PostTrain.Torch;

namespace PostTrain.Training;

/// <summary>What computes here, for the head of every report.</summary>
public static class EngineFacts
{
    /// <summary>One line, such as <c>libtorch 1.13.0, openblas-openmp/libblas.so.3, 2 threads, AVX2</c>.</summary>
    public static string Describe() => EngineInfo.Current().ToString();
}
