using System.CommandLine;
using PostTrain.Adapters;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tool;

/// <summary><c>posttrain generate</c>: a chat in the terminal, or one answer with <c>--prompt</c>, as it is drawn.</summary>
internal sealed class GenerateCommand : ToolCommand
{
    private readonly Option<string?> model;
    private readonly Option<string?> adapter;
    private readonly Option<string?> prompt;
    private readonly Option<string?> system;
    private readonly Option<bool> raw;
    private readonly Option<int> tokens;
    private readonly Option<double> temperature;
    private readonly Option<double> topP;
    private readonly Option<int> topK;
    private readonly Option<string?> type;
    private readonly Option<ulong> seed;

    internal GenerateCommand(Terminal terminal)
        : base("generate", "Chats with a model; with --prompt it answers once.", terminal)
    {
        model = PathOf("--model", "Directory of the model.", "DIR", required: true);
        adapter = PathOf("--adapter", "Directory of an adapter on it.", "DIR");
        prompt = Of<string?>("--prompt", "One prompt; without it the command reads a line a turn.", null, help: "TEXT");
        system = Of<string?>("--system", "Message of the system, for chat models.", null, help: "TEXT");
        raw = Of("--raw", "Continue the text as it is, without the model's chat template.", false);
        tokens = Of("--tokens", "Most tokens of an answer.", 256, OptionRange.AtLeast(1));
        temperature = Of("--temperature", "Temperature; 0 takes the likeliest token.", 0.7, OptionRange.AtLeast(0));
        topP = Of("--top-p", "Share of the likeliest tokens that are drawn from.", 0.95, new OptionRange(1e-6, 1));
        topK = Of("--top-k", "Draw only from the k likeliest tokens; 0 from all.", 0, OptionRange.AtLeast(0));
        type = Choice("--type", "Type of the weights [default: the stored type].", null, ["float32", "bfloat16"]);
        seed = Of("--seed", "Seed of the sampling.", 0UL);
    }

    protected override async Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string folder = values.GetValue(model)!;
        using var decoder = Terminal.Do(
            $"loading the model of {folder}",
            () => Pretrained.Load(folder, TrainingRun.TypeOf(values.GetValue(type)))
        );
        var tokenizer = TokenizerFiles.Load(folder);
        using var adapted = values.GetValue(adapter) is { } place
            ? Terminal.Do($"loading the adapter of {place}", () => AdaptedModel.Load(decoder, place))
            : null;
        decoder.eval();
        var chat = new ChatSession(
            decoder,
            tokenizer,
            values.GetValue(raw) || !UserData.HasChatTemplate(folder) ? null : UserData.Template("chat", folder),
            values.GetValue(system),
            (
                new SamplingOptions
                {
                    MaxNewTokens = values.GetValue(tokens),
                    Temperature = values.GetValue(temperature),
                    TopP = values.GetValue(topP),
                    TopK = values.GetValue(topK),
                    SuppressedTokens = Sampled.WithoutText(decoder, tokenizer),
                }
            ).StoppingAt(decoder, tokenizer)
        );
        if (values.GetValue(prompt) is { } once)
        {
            await chat.AnswerAsync(once, values.GetValue(seed), Terminal.Output, stop).ConfigureAwait(false);
            Terminal.Line();
            return;
        }
        Terminal.Error(chat.IsChat ? "a line a turn; /new starts again, /exit ends" : "a line a prompt; /exit ends");
        for (ulong turn = 0; ; turn++)
        {
            if (Terminal.IsLive)
                Terminal.Output.Write("> ");
            var line = await Task.Run(Terminal.Input.ReadLine, stop).WaitAsync(stop).ConfigureAwait(false);
            if (line is null or "/exit")
                return;
            if (line == "/new")
            {
                chat.Clear();
                continue;
            }
            if (line.Length == 0)
                continue;
            try
            {
                await chat.AnswerAsync(line, values.GetValue(seed) + turn, Terminal.Output, stop).ConfigureAwait(false);
                Terminal.Line();
            }
            catch (ArgumentException exception)
            {
                Terminal.Error($"{exception.Message}; /new starts again");
            }
        }
    }

    /// <summary>A conversation with a model.</summary>
    private sealed class ChatSession(
        Decoder model,
        ITokenizer tokenizer,
        InstructionTemplate? template,
        string? system,
        SamplingOptions sampling
    )
    {
        private readonly List<ChatMessage> messages = system is null ? [] : [new("system", system)];

        internal bool IsChat => template is not null;

        internal void Clear() => messages.RemoveRange(system is null ? 0 : 1, messages.Count - (system is null ? 0 : 1));

        internal async Task AnswerAsync(string text, ulong seed, TextWriter output, CancellationToken stop)
        {
            ChatMessage[] asked = [.. messages, new("user", text)];
            var ids = tokenizer.Encode(template?.Prompt(asked) ?? text);
            if (ids.Length >= model.ContextLength)
                throw new ArgumentException($"the text has {ids.Length} tokens, the model's context {model.ContextLength}");
            var answer = new System.Text.StringBuilder();
            await foreach (
                var piece in Sampler.StreamAsync(model, [ids], sampling, seed, tokenizer, stop).WithCancellation(stop).ConfigureAwait(false)
            )
            {
                output.Write(piece.Text);
                answer.Append(piece.Text);
            }
            if (template is not null)
                messages.AddRange([asked[^1], new("assistant", answer.ToString())]);
        }
    }
}
