#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Compares soft prompts with LoRA and full fine-tuning: prompt tuning, prefix tuning, P-tuning, P-Tuning v2. By default on a base that
// knows eight tasks by name, for one of them without its name; prompt-width.cs has it over widths and seeds.
//   dotnet run -c Release samples/experiments/prompt-tuning.cs [-- --model DIR --data FILE --steps N --length N --base-steps N
// --output DIR]
using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Tool;

var command = new SampleCommand("prompt-tuning", "Compares soft prompts with LoRA and full fine-tuning.", steps: 400);
var length = command.Option("--length", "Virtual tokens of a prompt, at least 2.", 8, OptionRange.AtLeast(2));
var batch = command.Option("--batch-size", "Examples per step.", 32, OptionRange.AtLeast(1));
var baseSteps = command.Option("--base-steps", "Steps of the training of the default base.", 4000, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        int n = values.GetValue(length);
        var (subject, data) = run.Model is null && run.Data is null ? TaskMixture.Toy(run, values.GetValue(baseSteps)) : Users();
        using var owned = subject;
        int width = subject.Model.HiddenSize,
            prefix = PrefixLm.WidthFor(subject.Model);
        // The default base reads instructions before the digits; elsewhere half of the virtual tokens are before the prompt, half between
        // it and the answer.
        var placement = subject.IsToy
            ? new PromptTemplate($"{{{n}}}{{prompt}}")
            : new PromptTemplate($"{{{n - n / 2}}}{{prompt}}{{{n / 2}}}");
        PromptTable Start(Decoder model) =>
            subject.IsToy
                ? PromptTable.FromTokens(model, subject.Tokenizer.Encode("."), n)
                : PromptTable.FromVocabulary(model, n, run.Seed);
        Contender[] contenders =
        [
            new("full", subject.Rate(1e-3), (model, tokenizer) => new Tuning(model, tokenizer)),
            new(
                "LoRA",
                subject.Rate(5e-3),
                (model, tokenizer) =>
                    new Tuning(
                        model,
                        tokenizer,
                        AdaptedModel.Attach(model, new LoraOptions { Targets = ModuleSelection.AllLinear, Alpha = 16 })
                    )
            ),
            new(
                "prompt tuning",
                subject.IsToy ? 0.3 : 0.05,
                (model, tokenizer) => new Tuning(new SoftPromptLm(model, Start(model)), tokenizer)
            ),
            new(
                "P-tuning",
                subject.IsToy ? 1e-2 : 5e-3,
                (model, tokenizer) =>
                {
                    using var start = Start(model);
                    var network = new LstmPromptEncoder(n, width, width, layers: 2, dropout: 0, run.Seed);
                    var prompted = new TemplatePromptLm(model, network.StartingAt(start));
                    return new Tuning(prompted, new TemplateTokenizer(tokenizer, prompted), Template: placement);
                }
            ),
            new(
                "prefix tuning",
                5e-3,
                (model, tokenizer) =>
                    new Tuning(new PrefixLm(model, new PrefixProjection(n, prefix, width, 2 * width, run.Seed)), tokenizer)
            ),
            new(
                "P-Tuning v2",
                0.05,
                (model, tokenizer) => new Tuning(new PrefixLm(model, PromptTable.Random(n, prefix, run.Seed)), tokenizer)
            ),
        ];
        var results = SideBySide.Run(run, subject, data, contenders, values.GetValue(batch));
        SideBySide.Conclude(
            run,
            subject,
            "Soft prompts, LoRA and full fine-tuning",
            $"Each method trains a fresh copy of {subject.Name} on the same {data.Train.Count} examples, prompts with {n} virtual tokens. "
                + "P-tuning's and prefix tuning's parameters are those of the encoder network; only its output rows are kept after "
                + "training.",
            results,
            "LoRA"
        );
        return Task.CompletedTask;

        (Subject, TaskData) Users()
        {
            var loaded = Subject.Load(run);
            return (loaded, TaskData.Load(run, loaded, values.GetValue(template)!, reserve: n));
        }
    }
);
