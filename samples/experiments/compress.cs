#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Quantisation, pruning and low rank side by side: perplexity and right answers against bytes.
//   dotnet run -c Release samples/experiments/compress.cs [-- --model DIR --data FILE --steps N --calibration N --healing N --output DIR]
using PostTrain.Adapters;
using PostTrain.Compression;
using PostTrain.Compression.Pruning;
using PostTrain.Compression.Quantization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

var command = new SampleCommand("compress", "Compresses a model in every way, and measures what each costs.", steps: 300);
var calibrated = command.Option("--calibration", "Examples that methods see inputs of.", 64, OptionRange.AtLeast(1));
var healing = command.Option("--healing", "Training steps of QLoRA and of the masked model.", 60, OptionRange.AtLeast(1));
var group = command.Option("--group", "Columns of a group of integers.", 32, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        using var subject = Subject.Load(run);
        var data = TaskData.Load(run, subject, values.GetValue(template)!);
        // The toy's model has to know something first; a model of the user's is taken as it is.
        using var start = subject.Again();
        if (subject.IsToy)
            Train("the model", start, run.Steps, subject.Rate(1e-3));
        using var calibration = Calibration.Run(
            start,
            Compressed.Sequences(subject.Tokenizer, data.Train.Take(values.GetValue(calibrated)), start.ContextLength),
            cancellation: run.Cancellation
        );
        IntegerOptions Integers(int bits, IntegerRange range = IntegerRange.Asymmetric) =>
            new()
            {
                Bits = bits,
                GroupSize = values.GetValue(group),
                Range = range,
            };
        var half = Sparsity.Part(0.5);
        Compressed[] results =
        [
            Measured("whole", _ => null),
            Quantized("int8", Quantizer.Int8Rows()),
            Quantized("NF4", Quantizer.Nf4()),
            Quantized("FP4", Quantizer.Fp4()),
            Quantized("int4", Quantizer.Integers(Integers(4, IntegerRange.Absmax))),
            Quantized("int3", Quantizer.Integers(Integers(3))),
            Quantized("int3 GPTQ", Quantizer.Gptq(new GptqOptions { Integers = Integers(3) })),
            Quantized("int3 AWQ", Quantizer.Awq(new AwqOptions { Integers = Integers(3, IntegerRange.MinMax) })),
            Measured("NF4 and QLoRA", model => Qlora(model)),
            Pruned("magnitude 50 %", Pruner.Magnitude(half)),
            Pruned("Wanda 50 %", Pruner.Wanda(half)),
            Pruned("SparseGPT 50 %", Pruner.SparseGpt()),
            Pruned("SparseGPT 2:4", Pruner.SparseGpt(new SparseGptOptions { Sparsity = Sparsity.Pattern(2, 4) })),
            Pruned("Wanda 50 %, trained", Pruner.Wanda(half), heal: true),
            LowRanked("SVD of half the size", null),
            LowRanked("SVD by the inputs", calibration),
            WithoutTheLeastLayer(),
        ];
        var table = Compressed.Table(results);
        ConsoleTable.Print(table);
        const string reading =
            "Bytes are those of the whole model; of a masked one, of what is left and a bit an entry. Intervals are 95 %, "
            + "over the examples; one run each, so this says nothing of other seeds. Codes of three bits are stored in four.";
        Console.WriteLine(reading);
        var page = run.Page(
                "Compression",
                $"{subject.Name}, compressed in {results.Length - 1} ways and measured on {data.HeldOut.Count} examples."
            )
            .Frontier("Loss over bytes, with 95 % intervals", Compressed.LossChart(results))
            .Table("Methods", table)
            .Paragraph(reading);
        if (subject.IsToy)
            page.Frontier("Right answers over bytes, with 95 % intervals", Compressed.AnswerChart(results))
                .Proportions(
                    "Right answers to held-out sums",
                    [.. results.Select(result => new PostTrain.Training.Reports.NamedProportion(result.Name, result.Right!))]
                );
        run.Finish(page, results.ToDictionary(result => result.Name, object (result) => result.Summary(results[0])));
        return Task.CompletedTask;

        // A fresh copy through a method; what the method leaves on it is taken off after the measurement.
        Compressed Measured(string name, Func<Decoder, IDisposable?> compress)
        {
            using var model = start.Copy();
            using var left = compress(model);
            return Compressed.Of(name, model, left as PrunedModel, subject, data);
        }

        Compressed Quantized(string name, IQuantizer quantizer) =>
            Measured(
                name,
                model =>
                {
                    ModelQuantization.Apply(model, quantizer, new QuantizationOptions { Calibration = calibration });
                    return null;
                }
            );

        AdaptedModel Qlora(Decoder model)
        {
            ModelQuantization.Apply(model, Quantizer.Nf4());
            var lora = new LoraOptions
            {
                Targets = ModuleSelection.AllLinear,
                Rank = 8,
                Alpha = 16,
            };
            var adapted = AdaptedModel.Attach(model, lora);
            Train("QLoRA", model, values.GetValue(healing), subject.Rate(2e-3));
            return adapted;
        }

        Compressed Pruned(string name, IPruner pruner, bool heal = false) =>
            Measured(
                name,
                model =>
                {
                    var pruned = PrunedModel.Attach(model, pruner, new PruningOptions { Calibration = calibration });
                    if (heal)
                        Train("the masked model", model, values.GetValue(healing), subject.Rate(1e-3));
                    return pruned;
                }
            );

        Compressed LowRanked(string name, Calibration? metric) =>
            Measured(
                name,
                model =>
                {
                    LowRank.Apply(model, 0.5, new PruningOptions { Calibration = metric });
                    return null;
                }
            );

        Compressed WithoutTheLeastLayer()
        {
            using var ids = TorchSharp
                .torch.tensor(
                    Array.ConvertAll(Compressed.Sequences(subject.Tokenizer, data.Train.Take(1), start.ContextLength)[0], id => (long)id)
                )
                .unsqueeze(0);
            double[] importance = Importance.OfLayers(start, [ids], cancellation: run.Cancellation);
            int least = Array.IndexOf(importance, importance.Min());
            using var model = StructuredPruning.WithoutLayers(start, least);
            return Compressed.Of($"without layer {least}", model, null, subject, data);
        }

        void Train(string name, Decoder model, int steps, double rate)
        {
            using var trainer = new SftTrainer(
                model,
                subject.Tokenizer,
                new SftOptions
                {
                    Steps = steps,
                    BatchSize = 32,
                    MicroBatchSize = run.MicroBatch(data.Longest),
                    LearningRate = rate,
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );
            run.Train(name, steps, trainer.Run(data.Train, cancellation: run.Cancellation), name);
        }
    }
);

/// <summary>A compressed model on held-out examples.</summary>
/// <param name="Name">The method.</param>
/// <param name="Bytes">Of the whole model; of a masked one those of what is left and a bit an entry.</param>
/// <param name="Losses">Mean negative log-probability of each example's completion tokens, nats.</param>
/// <param name="Right">Right answers; null where nobody knows them.</param>
internal sealed record Compressed(string Name, long Bytes, IReadOnlyList<double> Losses, Proportion? Right)
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
