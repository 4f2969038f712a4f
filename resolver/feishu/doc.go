// Package feishu calls the open API of Feishu and Lark for the providers that
// are built on it.
//
// An [App] is the credential of an app, or of one user: it fetches and renews
// the token, opens the envelope of answers, and knows the codes that the
// gateway before all calls answers with. Which codes a single call has beside
// those is declared with the call. Providers that open the same credentials with
// the same limits share the token, the limits and the connections, because
// Feishu counts calls by app and tenant, whoever makes them.
//
// Errors name the scopes that a call lacks, which are not secret.
package feishu
