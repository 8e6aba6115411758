using PostTrain.Compression.Pruning;
using PostTrain.Compression.Quantization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Text;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>A compressed model on held-out examples.</summary>
/// <param name="Name">The method.</param>
/// <param name="Bytes">Of the whole model; of a masked one those of what is left and a bit an entry.</param>
/// <param name="Losses">Mean negative log-probability of each example's completion tokens, nats.</param>
/// <param name="Right">Right answers; null where nobody knows them.</param>
public sealed record Compressed(string Name, long Bytes, IReadOnlyList<double> Losses, Proportion? Right)
{
    /// <summary>Measures a model.</summary>
    public static Compressed Of(string name, Decoder model, PrunedModel? masks, Subject subject, TaskData data)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(data);
        long bytes = ModelQuantization.Bytes(model);
        foreach (var layer in masks?.Layers.Values ?? [])
        {
            using var scope = NewDisposeScope();
            long gone = layer.Kept.NumberOfElements - layer.Kept.sum().ToInt64();
            // The mask itself takes a byte an entry in memory.
            bytes -= gone * layer.Weight.ElementSize + layer.Kept.NumberOfElements * 7 / 8;
        }
        double[] losses = [.. data.HeldOut.Select(example => Loss(model, subject.Tokenizer, example))];
        var right = subject.IsToy ? Measure.Right(Measure.Answers(model, subject.Tokenizer, data.Problems)) : null;
        return new Compressed(name, bytes, losses, right);
    }

    /// <summary>Ids of whole examples, for calibration.</summary>
    public static int[][] Sequences(ITokenizer tokenizer, IEnumerable<Demonstration> examples, int longest)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return
        [
            .. examples
                .Select(example => tokenizer.Encode(example.Prompt + example.Completion))
                .Select(ids => ids[..Math.Min(ids.Length, longest)]),
        ];
    }

    /// <summary>exp(mean loss) and its interval, which is that of the mean.</summary>
    public (double Value, double Low, double High) Perplexity()
    {
        var loss = Estimate.Of(Losses.ToArray());
        double half = double.IsNaN(loss.HalfWidth) ? 0 : loss.HalfWidth;
        return (Math.Exp(loss.Mean), Math.Exp(loss.Mean - half), Math.Exp(loss.Mean + half));
    }

    /// <summary>Creates the chart of loss over bytes.</summary>
    public static FrontierChart LossChart(IReadOnlyList<Compressed> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        return new FrontierChart(
            "bytes of the model",
            "log-perplexity in nats",
            [
                .. results.Select(result =>
                {
                    var (value, low, high) = result.Perplexity();
                    return new FrontierPoint(result.Name, result.Bytes, Math.Log(value), Math.Log(low), Math.Log(high));
                }),
            ]
        )
        {
            LogX = true,
            LogY = true,
        };
    }

    /// <summary>Creates the chart of right answers over bytes.</summary>
    public static FrontierChart AnswerChart(IReadOnlyList<Compressed> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        return new FrontierChart(
            "bytes of the model",
            "share of right answers",
            [
                .. results
                    .Where(result => result.Right is not null)
                    .Select(result => FrontierPoint.Of(result.Name, result.Bytes, result.Right!)),
            ]
        )
        {
            LogX = true,
        };
    }

    /// <summary>All results in a table, each beside the first.</summary>
    public static ReportTable Table(IReadOnlyList<Compressed> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var whole = results[0];
        string[] answers = whole.Right is null ? [] : ["right answers"];
        return new ReportTable(
            ["method", "bytes", "of the whole", "perplexity", "loss minus the whole's", .. answers],
            [
                .. results.Select(result =>
                {
                    var (value, low, high) = result.Perplexity();
                    return (string[])
                        [
                            result.Name,
                            Format.Count(result.Bytes),
                            Format.Percent((double)result.Bytes / whole.Bytes),
                            $"{Format.Number(value, 4)} ({Format.Number(low, 4)}–{Format.Number(high, 4)})",
                            result == whole ? "–" : Estimate.OfDifference(result.Losses, whole.Losses).ToString(),
                            .. result.Right is null ? [] : (string[])[result.Right.ToString()],
                        ];
                }),
            ]
        );
    }

    /// <summary>For <c>summary.json</c>.</summary>
    public Dictionary<string, object> Summary(Compressed whole)
    {
        ArgumentNullException.ThrowIfNull(whole);
        var (value, low, high) = Perplexity();
        var difference = Estimate.OfDifference(Losses, whole.Losses);
        var summary = new Dictionary<string, object>
        {
            ["bytes"] = Bytes,
            ["perplexity"] = value,
            ["perplexity_interval"] = (double[])[low, high],
            ["loss_minus_whole"] = difference.Mean,
            ["loss_minus_whole_interval"] = difference.Interval,
        };
        if (Right is not null)
            (summary["accuracy"], summary["accuracy_interval"]) = (Right.Value, Right.Interval());
        return summary;
    }

    private static double Loss(Decoder model, ITokenizer tokenizer, Demonstration example)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        int[] all = tokenizer.Encode(example.Prompt + example.Completion);
        int start = Math.Clamp(tokenizer.Encode(example.Prompt.ToString()!).Length, 1, all.Length - 1);
        var ids = tensor(Array.ConvertAll(all, id => (long)id)).unsqueeze(0);
        var logits = model.call(ids.narrow(1, 0, all.Length - 1));
        var logProbs = TokenLogProbs.Gather(logits, ids.narrow(1, 1, all.Length - 1));
        return -logProbs.narrow(1, start - 1, all.Length - start).to_type(ScalarType.Float64).mean().ToDouble();
    }
}
