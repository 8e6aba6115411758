using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Refinement.Instructions;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Logits;
using PostTrain.Supervised;
using PostTrain.Tests.Chat;
using PostTrain.Tests.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Refinement;

/// <summary>A model reads the ids of <see cref="ChatTemplate.Encode"/> wherever a recipe asks it with a prompt that a template
/// rendered.</summary>
[Collection("Sequential")]
public sealed class RenderedPromptsTests : IDisposable
{
    private static readonly SamplingOptions Short = new() { MaxNewTokens = 2 };
    private readonly Reader reader = new();
    private ModuleLm? model;

    public void Dispose()
    {
        model?.Dispose();
        reader.Dispose();
    }

    public static TheoryData<string, string?> Cases => RenderedTextTests.Cases;

    private (ITokenizer Tokenizer, ChatTemplate Template, Problem Problem, int[] Ids) Load(string name, string? source)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        var own = ChatTemplate.Load(GoldenTokenizers.Directory(name));
        var template = source is null ? own : new ChatTemplate(source, own.SpecialTokens);
        ChatMessage[] talk = [new("user", "What is it?")];
        var ids = template.Encode(tokenizer, talk, new ChatOptions { AddGenerationPrompt = true }).Ids;
        reader.Width = tokenizer.VocabularySize;
        model = new ModuleLm(reader, tokenizer.VocabularySize, contextLength: 400);
        return (tokenizer, template, new Problem(InstructionTemplate.Chat(template).Prompt(talk), "4"), ids);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task TextSource_AndItsRefiner(string name, string? template)
    {
        var (tokenizer, _, problem, ids) = Load(name, template);
        var source = TextSource.Of(model!, tokenizer, Short);
        var request = new TextRequest { MaxTokens = 2 };
        await source.CompleteAsync([problem.Prompt], request);
        Assert.Equal(ids, reader.First());
        var draft = Assert.Single(await new TextRefiner(source, request: request).WriteAsync([new DraftRequest(problem, 0, 0)]));
        Assert.Equal(ids, reader.First());
        Assert.Equal(problem.Prompt, draft!.Prompt);
        // Of a revision the template's text is encoded as it stands.
        var revision = new DraftRequest(problem, 0, 1, draft.Completion, new Feedback("no", 0, false));
        await new TextRefiner(source, request: request).WriteAsync([revision]);
        Assert.Equal(tokenizer.Encode(new RevisionTemplate().Apply(problem, draft.Completion, revision.Feedback!)), reader.First());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task ModelRefiner_SelfTraining_AndAiFeedback(string name, string? template)
    {
        var (tokenizer, _, problem, ids) = Load(name, template);
        var refiner = new ModelRefiner(model!, tokenizer, new ModelRefinerOptions { Sampling = Short });
        var draft = Assert.Single(await refiner.WriteAsync([new DraftRequest(problem, 0, 0)]));
        Assert.Equal(ids, reader.First());
        Assert.Equal(problem.Prompt, draft!.Prompt);

        // All ids are equally likely: some of the completions end.
        var own = await new SelfTraining(
            model!,
            tokenizer,
            Reward.Of("any", _ => 1),
            new SelfTrainingOptions { SamplesPerProblem = 8, Sampling = Short with { Processors = [Ending(tokenizer)] } }
        ).CollectAsync([problem]);
        Assert.Equal(ids, reader.First());
        Assert.NotEmpty(own);
        Assert.All(own, shown => Assert.Equal(ids, tokenizer.Encode(shown.Prompt)));

        var pairs = new List<PreferencePair>();
        await foreach (
            var batch in AiFeedback.CollectAsync(
                model!,
                tokenizer,
                [problem],
                (_, _, _, _) => Task.FromResult(0.75),
                new AiFeedbackOptions { PairsPerProblem = 4, Sampling = Short }
            )
        )
            pairs.AddRange(batch.Pairs);
        Assert.Equal(ids, reader.First());
        Assert.NotEmpty(pairs);
        Assert.All(pairs, pair => Assert.Equal(ids, tokenizer.Encode(pair.Prompt)));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task SelfRewards_ReadTheProblem(string name, string? template)
    {
        var (tokenizer, _, problem, ids) = Load(name, template);
        var completion = new Completion(problem, " four.", [], true);
        await SelfRewards.MeanLogProb(model!, tokenizer).ScoreAsync([completion], RewardContext.None);
        var learnt = TokenExample.Of(problem.Prompt, completion.Text, tokenizer).Ids;
        Assert.Equal(learnt[..^1], reader.First()[..(learnt.Length - 1)]);
        Assert.Equal(ids[..^1], learnt[..(ids.Length - 1)]);
        await SelfRewards.Verdict(model!, tokenizer).ScoreAsync([completion], RewardContext.None);
        Assert.Equal(ids[..^1], reader.First()[..(ids.Length - 1)]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task SelfInstruct_AsksAsTheTemplateDoes(string name, string? source)
    {
        var (tokenizer, template, _, _) = Load(name, source);
        var chat = InstructionTemplate.Chat(template);
        var plain = new SelfInstructPrompts();
        var asked = new List<(string Plain, MarkedText Prompt)>();
        MarkedText Rendered(MarkedText prompt)
        {
            asked.Add((prompt, chat.Prompt(prompt.Text)));
            return asked[^1].Prompt;
        }
        var prompts = new SelfInstructPrompts
        {
            Instructions = shown => Rendered(plain.Instructions(shown)),
            InputFirst = (tasks, instruction) => Rendered(plain.InputFirst(tasks, instruction)),
        };
        var texts = TextSource.Of(
            async (questions, request, cancellation) =>
            {
                await TextSource.Of(model!, tokenizer, Short).CompleteAsync(questions, request with { MaxTokens = 2 }, cancellation);
                return [.. questions.Select(_ => new SourcedText(" Write a short poem about the sea\n"))];
            }
        );
        InstructionTask[] seeds = [new("Name the colours of a rainbow", [new("", "red")])];
        await new SelfInstruct(seeds, texts, new SelfInstructOptions { Prompts = prompts, RequestsPerRound = 1 }).StepAsync();
        Assert.Equal(2, asked.Count);
        foreach (var (text, first) in asked.Zip(reader.Firsts()))
            Assert.Equal(
                template.Encode((TokenizerJson)tokenizer, [new("user", text.Plain)], new ChatOptions { AddGenerationPrompt = true }).Ids,
                first
            );
        var shown = new InstructionTask("Add.", [new("1, 1", "2")])
            .Demonstrations((instruction, input) => chat.Prompt(instruction, input))
            .Single();
        Assert.Equal(chat.Prompt("Add.", "1, 1"), shown.Prompt);
    }

    // The end becomes as likely as all else together.
    private static LogitProcessor Ending(ITokenizer tokenizer) =>
        (scores, _, _) => scores.index_fill(1, tensor([(long)tokenizer.EndOfSequenceId!.Value]), Math.Log(tokenizer.VocabularySize));

    // Finds every token as likely as the others, and keeps the rows that it reads.
    private sealed class Reader() : nn.Module<Tensor, Tensor>(nameof(Reader))
    {
        private readonly List<int[]> rows = [];

        internal int Width { get; set; }

        // What was read first since the last question: the prompt.
        internal int[] First()
        {
            var first = rows[0];
            rows.Clear();
            return first;
        }

        // Of each question the prompt: the rows that do not go on with the one before.
        internal IEnumerable<int[]> Firsts() => rows.Where((row, i) => i == 0 || !row.AsSpan().StartsWith(rows[i - 1])).ToArray();

        public override Tensor forward(Tensor ids)
        {
            rows.Add([.. ids[0].data<long>().Select(id => (int)id)]);
            return zeros([.. ids.shape, Width]);
        }
    }
}
