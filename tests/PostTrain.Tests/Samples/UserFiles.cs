using System.Text.Json;
using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Samples;

/// <summary>A model and data as a user brings them: a directory with random weights and a tokenizer, and records in files.</summary>
internal sealed class UserFiles : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    internal UserFiles()
    {
        var tokenizer = new CharacterTokenizer(new string([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(code => (char)code)]) + '\n');
        using var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = tokenizer.VocabularySize,
                ContextLength = 256,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 16,
                EndOfSequenceIds = [tokenizer.EndOfSequenceId!.Value],
                PaddingId = tokenizer.PaddingId,
            },
            seed: 3
        );
        Pretrained.Save(model, Model);
        tokenizer.Save(Model);
    }

    /// <summary>The model's directory.</summary>
    internal string Model => directory.File("model");

    /// <summary>Where a sample's results go.</summary>
    internal string Output => directory.File("output");

    /// <summary>A result.</summary>
    internal string Result(string name) => Path.Combine(Output, name);

    /// <summary>A file of records, in one of the usual forms.</summary>
    internal string Records(string form)
    {
        object Record(int i) =>
            form switch
            {
                "alpaca" => new
                {
                    instruction = "Add.",
                    input = $"{i}+{i}",
                    output = $"{2 * i}",
                },
                "sharegpt" => new
                {
                    conversations = new[] { new { from = "human", value = $"{i}+{i}?" }, new { from = "gpt", value = $"{2 * i}" } },
                },
                "self-instruct" => new { instruction = "Add.", instances = new[] { new { input = $"{i}+{i}", output = $"{2 * i}" } } },
                "gsm8k" => new { question = $"{i}+{i}?", answer = $"{i}+{i}=<<{i}+{i}={2 * i}>>{2 * i}\n#### {2 * i}" },
                "svamp" => new
                {
                    Body = $"He has {i} and {i}",
                    Question = "How many?",
                    Answer = 2.0 * i,
                },
                "pairs" => new
                {
                    instruction = $"{i}+{i}?",
                    chosen = $"{2 * i}",
                    rejected = $"{3 * i + 1}",
                },
                "dialogues" => new { chosen = Dialogue(i, 2 * i), rejected = Dialogue(i, 3 * i + 1) },
                "judged" => new
                {
                    prompt = $"{i}+{i}=",
                    completion = $"{2 * i + i % 2}",
                    label = i % 2 == 0,
                },
                "steps" => new
                {
                    prompt = $"{i}+{i}+1=",
                    completions = new[] { $"{i}+{i}={2 * i}", $"{2 * i}+1={2 * i + i % 3}" },
                    labels = new[] { true, i % 3 == 1 },
                },
                _ => throw new ArgumentOutOfRangeException(nameof(form), form, "no such form"),
            };

        return directory.Write(
            $"{form}.jsonl",
            string.Join('\n', Enumerable.Range(1, 16).Select(i => JsonSerializer.Serialize(Record(i))))
        );
    }

    /// <summary>A file of this content.</summary>
    internal string Write(string name, string content) => directory.Write(name, content);

    public void Dispose() => directory.Dispose();

    private static object[] Dialogue(int i, int answer) =>
        [new { role = "user", content = $"{i}+{i}?" }, new { role = "assistant", content = $"{answer}" }];
}
