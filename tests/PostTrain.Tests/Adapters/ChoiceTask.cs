using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Tests.Adapters;

/// <summary>Ways to write three digits down again, each named by a letter in an instruction of up to four characters, and a table of
/// digits that no instruction names.</summary>
internal static class ChoiceTask
{
    internal const int Longest = 4;
    internal const char Unknown = 'x';
    private const string Table = "3705194826";

    private static readonly Dictionary<char, string> Patterns = new()
    {
        ['a'] = "012",
        ['b'] = "210",
        ['c'] = "000",
        ['d'] = "120",
    };

    internal static CharacterTokenizer Tokenizer { get; } = new("0123456789=.abcd");

    internal static string Answer(char task, string digits) =>
        task == Unknown
            ? string.Concat(digits.Select(digit => Table[digit - '0']))
            : string.Concat(Patterns[task].Select(place => digits[place - '0']));

    internal static Decoder Base(int width, int steps, ulong seed)
    {
        var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Tokenizer.VocabularySize,
                ContextLength = 16,
                HiddenSize = width,
                Layers = 2,
                Heads = 2,
                FeedForwardSize = 4 * width,
            },
            seed
        );
        var random = new Random((int)seed);
        Demonstration[] mixture =
        [
            .. Enumerable
                .Range(0, 64 * 128)
                .Select(_ =>
                {
                    char task = "abcd"[random.Next(4)];
                    string digits = $"{random.Next(1000):D3}";
                    return new Demonstration($"{Instruction(task, random)}{digits}=", Answer(task, digits));
                }),
        ];
        Train(model, mixture, steps, 8e-3 * Math.Min(1, Math.Sqrt(8.0 / width)), seed);
        return model;
    }

    /// <summary>Accuracy on held-out digits after tuning on 200 others without an instruction, and the loss of the last 20 steps.</summary>
    internal static (double Accuracy, double Loss) Tuned(CausalLm model, char task, int steps, double rate, ulong seed)
    {
        var order = new ShuffledOrder(1000, seed);
        string[] digits = [.. Enumerable.Range(0, 400).Select(i => $"{order[i]:D3}")];
        double loss = Train(model, [.. digits.Take(200).Select(x => new Demonstration($"{x}=", Answer(task, x)))], steps, rate, seed);
        return (Accuracy(model, task, digits.Skip(200), ""), loss);
    }

    internal static double Accuracy(CausalLm model, char task, IEnumerable<string> digits, string instruction)
    {
        string[] asked = [.. digits];
        model.eval();
        using var rollouts = Sampler.Generate(
            model,
            [.. asked.Select(x => Tokenizer.Encode($"{instruction}{x}="))],
            new SamplingOptions { Temperature = 0, MaxNewTokens = 3 },
            seed: 0,
            Tokenizer
        );
        return asked.Select((x, i) => Tokenizer.Decode(rollouts.Completions[i]) == Answer(task, x) ? 1.0 : 0).Average();
    }

    /// <summary>An instruction without a name.</summary>
    internal static PromptTable Text(CausalLm model) => PromptTable.FromTokens(model, Tokenizer.Encode("."), Longest);

    /// <summary>P-tuning from given rows on.</summary>
    internal static SoftPromptLm Network(CausalLm model, PromptTable start, ulong seed) =>
        new(model, new LstmPromptEncoder(Longest, model.HiddenSize, 16, 2, 0, seed).StartingAt(start));

    private static string Instruction(char task, Random random)
    {
        var text = new string('.', random.Next(1, Longest + 1)).ToCharArray();
        text[random.Next(text.Length)] = task;
        return new string(text);
    }

    private static double Train(CausalLm model, Demonstration[] data, int steps, double rate, ulong seed)
    {
        using var trainer = new SftTrainer(
            model,
            Tokenizer,
            new SftOptions
            {
                Steps = steps,
                BatchSize = 32,
                LearningRate = rate,
                WarmupSteps = steps / 10,
                Schedule = LearningRateSchedule.Cosine,
                Seed = seed,
                AppendEndOfSequence = false,
            }
        );
        return trainer.Run(data).Select(report => report.Loss).TakeLast(20).Average();
    }
}
