using PostTrain.Refinement;
using PostTrain.Refinement.Writing;

namespace PostTrain.Search;

/// <summary>Steps from a text source.</summary>
internal sealed class SourceSteps(ITextSource source, TextRequest template, string separator) : IStepGenerator
{
    public async ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(
        IReadOnlyList<StepRequest> requests,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(requests);
        var steps = new SearchStep[requests.Count];
        for (var i = 0; i < steps.Length; i++)
        {
            // One by one: a request has one seed, and a source draws the rows of a call from one.
            var asked = template with
            {
                Seed = requests[i].Seed,
                Temperature = requests[i].Greedy ? 0 : template.Temperature,
            };
            var texts = await TextSource
                .AskAsync(source, [requests[i].Solution.Problem.Prompt + requests[i].Solution.Text], asked, cancellation)
                .ConfigureAwait(false);
            steps[i] = Step(texts[0], requests[i].ToEnd);
        }

        return steps;
    }

    private SearchStep Step(SourcedText text, bool toEnd)
    {
        var found = toEnd ? -1 : text.Text.IndexOf(separator, StringComparison.Ordinal);
        return found >= 0
            ? new SearchStep(text.Text[..(found + separator.Length)])
            : new SearchStep(text.Text, text.Finished ? StepEnd.Finished : StepEnd.CutOff);
    }
}
