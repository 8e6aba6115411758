using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Robustness;

/// <summary>Calls of models, heads and adapters with inputs that do not fit, for <see cref="WorstCalls"/>.</summary>
internal static class WorstModelCalls
{
    private static readonly (string Name, Func<Tensor> Make)[] Inputs =
    [
        ("one dimension", () => Numbers.Ids(1, 20, 4)),
        ("three dimensions", () => Numbers.Ids(1, 20, 2, 3, 4)),
        ("a scalar", () => tensor(1L)),
        ("no rows", () => zeros(0, 4, dtype: ScalarType.Int64)),
        ("no columns", () => zeros(2, 0, dtype: ScalarType.Int64)),
        ("an id above the vocabulary", () => full(1, 3, 10_000, dtype: ScalarType.Int64)),
        ("a negative id", () => full(1, 3, -1, dtype: ScalarType.Int64)),
        ("longer than the context", () => zeros(1, 5000, dtype: ScalarType.Int64)),
        ("numbers", () => rand(2, 3)),
        ("truth values", () => ones(2, 3, dtype: ScalarType.Bool)),
        ("halves", () => rand(2, 3, 7).to_type(ScalarType.BFloat16)),
        ("another width", () => rand(2, 3, 7)),
        ("doubles", () => rand([2, 3, 16], ScalarType.Float64)),
    ];

    internal static void Run()
    {
        foreach (var family in TinyModelNames)
        {
            using var model = PostTrain.Tests.Models.TinyModels.Create(family, ScalarType.Float32);
            using var adapted = AdaptedModel.Attach(model, new LoraOptions { Rank = 2, Targets = ModuleSelection.AllLinear });
            using var value = ValueHead.For(model);
            using var classifier = SequenceClassifier.For(model);
            var mask = ones(2, 3, dtype: ScalarType.Int64);
            Try($"{family}.call", input => model.call(input));
            Try($"{family}.Hidden", input => model.Hidden(input));
            Try($"{family}.Hidden with a mask", input => model.Hidden(Numbers.Ids(1, 20, 2, 5), input));
            Try($"{family}.Hidden of ids with another mask", input => model.Hidden(input, mask));
            Try($"{family}.HiddenFromEmbeddings", input => model.HiddenFromEmbeddings(input));
            Try($"{family}.Project", model.Project);
            foreach (var other in TinyModelNames.Append("gemma2"))
            {
                using var stranger = PostTrain.Tests.Models.TinyModels.Create(other, ScalarType.Float64);
                Try($"{family} with the cache of {other} in float64", input => WithCache(model, stranger, input));
                stranger.to(ScalarType.Float32);
                Try($"{family} with the cache of {other}", input => WithCache(model, stranger, input));
            }
            Try($"{family} ValueHead.Values", input => value.Values(input));
            Try($"{family} ValueHead.call", input => value.call(input));
            Try($"{family} SequenceClassifier.call", input => classifier.call(input));
        }
    }

    private static Tensor WithCache(Decoder model, Decoder stranger, Tensor ids)
    {
        using var cache = stranger.NewCache(1, 8);
        return model.Hidden(ids.dim() == 2 ? ids : zeros(1, 3, dtype: ScalarType.Int64), cache: cache);
    }

    private static IEnumerable<string> TinyModelNames => ["llama", "gpt2"];

    private static void Try(string name, Func<Tensor, Tensor> call)
    {
        Console.WriteLine($"function {name}");
        Console.Out.Flush();
        foreach (var (what, make) in Inputs)
        {
            using var scope = NewDisposeScope();
            try
            {
                var result = call(make());
                if (result.requires_grad)
                    result.sum().backward();
                Console.WriteLine($"{what}: [{string.Join(", ", result.shape)}]");
            }
            catch (Exception exception)
            {
                Console.WriteLine($"{exception.GetType().Name}: {what}: {exception.Message.Split('\n')[0]}");
            }
        }
    }
}
