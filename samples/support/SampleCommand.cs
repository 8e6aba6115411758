using System.CommandLine;
using System.Globalization;
using PostTrain.Text.Chat;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>A sample's command line: the options of all samples, and its own.</summary>
/// <example><code>
/// var command = new SampleCommand("sft", "Fine-tunes a model on instructions.", steps: 200);
/// var lora = command.Option("--lora", "Rank of an adapter; 0 trains the whole model.", 0, OptionRange.AtLeast(0));
/// return await command.RunAsync(args, (run, values) => TrainAsync(run, values.GetValue(lora)));
/// </code></example>
public sealed class SampleCommand
{
    // As in shells: 128 plus the number of the signal.
    private const int Interrupted = 130;

    private readonly RootCommand root;
    private readonly Option<string?> model = new("--model")
    {
        Description = "Directory of a Hugging Face model with its tokenizer; by default the project's own small model.",
    };
    private readonly Option<string?> data = new("--data")
    {
        Description = "Records as JSON Lines or a JSON array; by default generated sums.",
    };
    private readonly Option<string> output;
    private readonly Option<int> steps;
    private readonly Option<int> heldOut;
    private readonly Option<int?> microBatch = new("--micro-batch-size")
    {
        Description = "Rows that go through the model at once; by default as many as have some thousand tokens.",
    };
    private readonly Option<string?> type = new("--type")
    {
        Description = "float32, or bfloat16 for mixed precision; by default the stored type.",
    };
    private readonly Option<bool> paddingFree = new("--padding-free") { Description = "Skip the padding of batches." };
    private readonly Option<ulong> seed = new("--seed") { Description = "Seed of all randomness.", DefaultValueFactory = _ => 0 };

    /// <param name="name">The sample's name, also of its folder below <c>artifacts</c>.</param>
    /// <param name="description">A description in one sentence.</param>
    /// <param name="steps">Default number of training steps.</param>
    /// <param name="heldOut">Default number of held-out examples.</param>
    public SampleCommand(string name, string description, int steps, int heldOut = 300)
    {
        output = new("--output") { Description = "Directory of the results.", DefaultValueFactory = _ => Path.Combine("artifacts", name) };
        this.steps = new("--steps") { Description = "Training steps.", DefaultValueFactory = _ => steps };
        this.heldOut = new("--held-out") { Description = "Number of held-out examples.", DefaultValueFactory = _ => heldOut };
        Within(this.steps, OptionRange.AtLeast(1));
        Within(this.heldOut, OptionRange.AtLeast(1));
        Within(microBatch, OptionRange.AtLeast(1));
        root = new RootCommand(description) { model, data, output, this.steps, this.heldOut, microBatch, type, paddingFree, seed };
    }

    /// <summary>Adds an option of the sample: a text, or a switch.</summary>
    /// <exception cref="ArgumentException">The option is a number, which needs a range.</exception>
    public Option<T> Option<T>(string name, string description, T value)
    {
        if (IsNumber(typeof(T)))
            throw new ArgumentException($"the option {name} is a number, expected its {nameof(OptionRange)}", nameof(name));
        var option = new Option<T>(name) { Description = description, DefaultValueFactory = _ => value };
        root.Add(option);
        return option;
    }

    /// <summary>Adds a numeric option. A value out of range ends the program with an error before anything else is done.</summary>
    public Option<T> Option<T>(string name, string description, T value, OptionRange range)
    {
        var option = new Option<T>(name) { Description = description, DefaultValueFactory = _ => value };
        Within(option, range);
        root.Add(option);
        return option;
    }

    private static bool IsNumber(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var plain && plain != typeof(bool) && plain.IsPrimitive;

    private static void Within<T>(Option<T> option, OptionRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        option.Validators.Add(result =>
        {
            // Text that is not a number has its own error.
            if (result.Errors.Any() || result.GetValueOrDefault<T>() is not { } value)
                return;
            if (!range.Holds(Convert.ToDouble(value, CultureInfo.InvariantCulture)))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} is {value}, expected {range}"));
        });
    }

    /// <summary>Reads the arguments and runs the sample; errors in the user's files or options are printed in one line.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> RunAsync(string[] args, Func<SampleRun, ParseResult, Task> run)
    {
        root.SetAction(
            async (values, cancellation) =>
            {
                try
                {
                    using var sample = new SampleRun(
                        values.GetValue(model),
                        values.GetValue(data),
                        values.GetValue(output)!,
                        values.GetValue(steps),
                        values.GetValue(heldOut),
                        values.GetValue(microBatch),
                        values.GetValue(seed),
                        cancellation
                    )
                    {
                        Type = TypeOf(values.GetValue(type)),
                        PaddingFree = values.GetValue(paddingFree),
                    };
                    await run(sample, values).ConfigureAwait(false);
                    return 0;
                }
                catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
                {
                    await Console
                        .Error.WriteLineAsync(
                            $"stopped; the completed steps are in {Path.Combine(values.GetValue(output)!, "metrics.jsonl")}"
                        )
                        .ConfigureAwait(false);
                    return Interrupted;
                }
                catch (Exception exception)
                    when (exception
                            is ArgumentException
                                or InvalidDataException
                                or IOException
                                or UnauthorizedAccessException
                                or NotSupportedException
                                or TemplateException
                    )
                {
                    // Parameter names are the library's, not the user's.
                    string message = exception is ArgumentException { ParamName: { } name }
                        ? exception.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
                        : exception.Message;
                    await Console.Error.WriteLineAsync(message).ConfigureAwait(false);
                    return 1;
                }
            }
        );
        // The first Ctrl+C lets the current step finish, the second does not.
        var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, press) =>
        {
            press.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        };
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, stop.Token);
    }

    private static ScalarType? TypeOf(string? name) =>
        name switch
        {
            null => null,
            "float32" => ScalarType.Float32,
            "bfloat16" => ScalarType.BFloat16,
            _ => throw new ArgumentException($"--type is '{name}', expected float32 or bfloat16"),
        };
}
