using PostTrain.Laws;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>What the tables of losses under the laws share.</summary>
internal static class LawTable
{
    internal const string MicroBatch = "micro-batch", Dropping = "mask equals dropping", Differences = "gradient versus differences";

    /// <summary>Rows of 5, 2 and 1 counted positions and one of 3 with a hole.</summary>
    internal static Tensor Mask() => tensor(new double[,] { { 1, 1, 1, 1, 1 }, { 1, 1, 0, 0, 0 }, { 1, 0, 0, 0, 0 }, { 1, 0, 1, 1, 0 } });

    /// <summary>The same with nothing in the third row.</summary>
    internal static Tensor MaskWithEmptyRow() => tensor(new double[,] { { 1, 1, 1, 1, 1 }, { 1, 1, 0, 0, 0 }, { 0, 0, 0, 0, 0 }, { 1, 0, 1, 1, 0 } });

    internal static LossSubject Subject(Func<LossBatch, Tensor> loss, Tensor mask, Func<Tensor, double>? denominator, params (string Name, LossTensor Tensor)[] tensors) =>
        new(loss, new LossBatch(tensors.ToDictionary(pair => pair.Name, pair => pair.Tensor), mask), denominator);

    /// <summary>Exactly the named laws are broken.</summary>
    internal static void Demand(LossSubject subject, params string[] broken)
    {
        var results = LossLaws.All(subject);
        Assert.Equal(subject.Denominator is null ? 4 : 6, results.Count);
        foreach (var result in results) Assert.True(result.Holds != broken.Contains(result.Law), result.ToString());
    }
}
