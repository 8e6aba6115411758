using Microsoft.Extensions.AI;

namespace PostTrain.Tests.Support;

/// <summary>A chat client that is a function of the question.</summary>
internal sealed class ChatFunction(Func<string, CancellationToken, Task<string>> reply) : IChatClient
{
    internal ChatFunction(Func<string, string> reply)
        : this((question, _) => Task.FromResult(reply(question))) { }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    ) => new(new ChatMessage(ChatRole.Assistant, await reply(messages.Single().Text, cancellationToken)));

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    ) => throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose() { }
}
