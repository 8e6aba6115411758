using System.Diagnostics;
using System.Globalization;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Time and memory of losses without the logits of all rows against those with them, in alternation. Runs where POSTTRAIN_MEASURE
/// is set and prints what it found.</summary>
[Collection("Sequential")]
public sealed class ChunkedHeadMeasurement(ITestOutputHelper output)
{
    private const int Rows = 8,
        Columns = 128,
        Samples = 9;

    [MeasurementFact]
    public void Parts_TakeNoLongerThanAllLogits_AndLessMemory()
    {
        output.WriteLine("loss width vocabulary trained: time with logits / without (quartiles), MiB with and without");
        foreach (var (width, vocabulary) in new[] { (512, 8192), (576, 49152) })
        {
            foreach (bool trained in new[] { true, false })
            {
                Measure("dpo", width, vocabulary, trained, 2, Dpo);
                Measure("grpo", width, vocabulary, trained, 1, Grpo);
                var teacher = Numbers.Uniform(9, 2, Rows, Columns, width).to_type(ScalarType.Float32);
                Measure("gkd", width, vocabulary, trained, 1, (logits, start, count) => Gkd(logits, teacher, start, count));
            }
        }
    }

    private void Measure(string name, int width, int vocabulary, bool trained, int unitRows, Func<Tensor, int, int, Tensor> share)
    {
        using var scope = NewDisposeScope();
        var states = Numbers.Uniform(1, 1, Rows, Columns, width).to_type(ScalarType.Float32).requires_grad_(true);
        weight = (Numbers.Uniform(2, 0.1, vocabulary, width)).to_type(ScalarType.Float32).requires_grad_(trained);
        void With() => share(states.matmul(weight.t()), 0, Rows / unitRows).backward();
        void Without() => ChunkedHead.Loss(states, weight, unitRows, share).backward();
        Seconds(With);
        Seconds(Without);
        var ratios = new List<double>();
        for (int i = 0; i < Samples; i++)
            ratios.Add(Seconds(With) / Seconds(Without));
        ratios.Sort();
        var (all, some) = (ResidentPeak.Of(With), ResidentPeak.Of(Without));
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{name} {width} {vocabulary} {trained}: {ratios[Samples / 2]:F2} ({ratios[Samples / 4]:F2} to "
                    + $"{ratios[3 * Samples / 4]:F2}), {all >> 20} and {some >> 20}"
            )
        );
        Assert.True(some < all);
    }

    private Tensor weight = null!;

    private static double Seconds(Action action)
    {
        using var scope = NewDisposeScope();
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Tensor LogProbs(Tensor logits, Tensor ids) => TokenLogProbs.Gather(logits, ids, ones_like(ids));

    private static Tensor Ids => Numbers.Ids(3, 8192, Rows, Columns);

    private static Tensor Dpo(Tensor logits, int start, int count)
    {
        var ids = cat([Ids.narrow(0, start, count), Ids.narrow(0, Rows / 2 + start, count)], 0);
        var sums = LogProbs(logits, ids).sum(1L);
        return PreferenceLosses.Dpo(new(sums.narrow(0, 0, count), sums.narrow(0, count, count)), null, null, null, Rows / 2).Loss;
    }

    private static Tensor Grpo(Tensor logits, int start, int count)
    {
        var logProbs = LogProbs(logits, Ids.narrow(0, start, count));
        var objective = PolicyObjectives.Bnpo(0.2);
        var batch = new PolicyBatch(logProbs, logProbs.detach(), ones(count), ones(count, Columns));
        return objective.Loss(batch, (double)(Rows * Columns)).Loss;
    }

    private Tensor Gkd(Tensor logits, Tensor teacher, int start, int count)
    {
        using var scope = NewDisposeScope();
        Tensor wanted;
        using (no_grad())
            wanted = teacher.narrow(0, start, count).matmul(weight.detach().t());
        var options = new DistillationObjective { Divergence = Divergence.Gkd(0.5) };
        return DistillationLosses
            .Distill(logits, wanted, ones(count, Columns), options, LossAggregation.TokenMean, Rows * Columns)
            .Loss.MoveToOuterDisposeScope();
    }
}
